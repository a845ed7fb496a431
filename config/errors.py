"""What is wrong with the settings, apart from the settings themselves: it is cheap to import."""


class UnusableSettings(Exception):
    """The settings cannot be used; the message names each key and what is wrong with it, never its value."""
