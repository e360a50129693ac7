"""What can go wrong in publishing."""


class PublishingError(ValueError):
    """A study could not be published: its store cannot be used, or one of its files is not what it should be."""
