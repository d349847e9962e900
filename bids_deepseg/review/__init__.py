"""The page on which a person looks at results, judges and corrects them: its server, and what the server saves."""
