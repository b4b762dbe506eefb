"""The report of a description: one HTML file, and its plots."""
