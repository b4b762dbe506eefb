"""The laboratory measures the library, which never imports it."""
