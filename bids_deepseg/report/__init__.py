"""Draw results for a human eye to judge: self-contained HTML pages that need no network and no scripts."""
