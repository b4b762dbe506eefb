"""The laboratory: what measures the library. The library never imports it."""
