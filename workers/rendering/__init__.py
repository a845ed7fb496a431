"""A report as HTML and PDF, from one template (WeasyPrint, Jinja2)."""

from workers.rendering.report import render_report

__all__ = ["render_report"]
