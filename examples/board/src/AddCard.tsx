import { useState, type FormEvent } from "react";
import type { Change } from "./types";

type Props = { columnId: number; title: string; onAdd: (change: Change) => void };

export function AddCard({ columnId, title, onAdd }: Props) {
  const [text, setText] = useState("");

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!text.trim()) return;
    onAdd({ event: "add_card", id: newId(), data: { column_id: columnId, title: text.trim() } });
    setText("");
  }

  return (
    <form className="add" onSubmit={submit}>
      <input aria-label={`New card in ${title}`} placeholder="Add a card" maxLength={200} value={text} onChange={(event) => setText(event.target.value)} />
      {text.trim() && <button className="primary small">Add</button>}
    </form>
  );
}

/** A random UUID; crypto.randomUUID() exists on secure pages only. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
