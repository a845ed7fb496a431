"""People with a browser: signing in and out, their account, and the frame of every page that they see."""
