"""A page with NiceGUI: a button, and an answer that the server writes."""

from __future__ import annotations

import sys

import socketio
from nicegui import app, ui


@ui.page("/")
def index() -> None:
    """Count how often the button is pressed, and greet who is written into the field."""
    presses = 0

    def count() -> None:
        nonlocal presses
        presses += 1
        answer.set_text(f"pressed {presses}")

    ui.button("Press", on_click=count)
    answer = ui.label("waiting").classes("answer")
    name = ui.input("Name").classes("name")
    ui.label().bind_text_from(name, "value", backward=lambda value: f"Hello {value}").classes("greeting")


@app.get("/package")
def package() -> str:
    """Say which package serves."""
    return socketio.AsyncServer.__module__.partition(".")[0]


ui.run(port=int(sys.argv[1]), reload=False, show=False)
