"""Train the networks of the package: painted and real samples, fitting, scoring and export.

The application never imports this package.
"""
