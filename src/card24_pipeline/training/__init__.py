"""Training that resumes."""
