"""Draw results for people to judge: self-contained HTML pages that need no network and no scripts."""
