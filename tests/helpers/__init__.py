"""What tests share: small data sets, phantoms, simple predictors, drivers."""
