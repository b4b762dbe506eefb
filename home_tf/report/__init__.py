"""Self-contained HTML pages with plots and tables."""
