"""What people look at: figures, reports, the page."""
