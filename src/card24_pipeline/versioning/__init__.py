"""DVC's stages out of Kedro's graph."""
