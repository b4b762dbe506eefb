"""Pages of plots and tables: one HTML file each, which needs no other."""
