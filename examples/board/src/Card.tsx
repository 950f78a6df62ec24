import { useState, type FormEvent, type KeyboardEvent, type PointerEvent } from "react";
import { Avatar, hue } from "./Bar";
import { CrossIcon, GripIcon, PencilIcon } from "./icons";
import type { ShownCard } from "./state";
import type { Change } from "./types";

type Props = {
  card: ShownCard;
  mayEdit: boolean;
  /** Who holds the card, "me" for this page. */
  holder: string | null;
  onChange: (change: Change) => void;
  onPointerDown: (event: PointerEvent, card: ShownCard) => void;
  onKeyDown: (event: KeyboardEvent, card: ShownCard) => void;
};

export function Card({ card, mayEdit, holder, onChange, onPointerDown, onKeyDown }: Props) {
  const [isEditing, setIsEditing] = useState(false);

  function rename(title: string) {
    setIsEditing(false);
    if (title && title !== card.title) onChange({ event: "rename_card", id: card.id, data: { old_title: card.title, title } });
  }

  const isHeld = holder !== null && holder !== "me"; // by somebody else
  const classes = ["item", card.isWaiting && "waiting", holder === "me" && "mine", isHeld && "held", mayEdit && !isHeld && "movable"];
  return (
    <li
      className={classes.filter(Boolean).join(" ")}
      data-card={card.id}
      style={{ "--hue": hue(holder ?? card.added_by) }}
      onPointerDown={(event) => mayEdit && !isHeld && !isEditing && onPointerDown(event, card)}
    >
      {mayEdit && (
        <button
          className="icon handle"
          disabled={isHeld}
          aria-label={`Move ${card.title}`}
          aria-pressed={holder === "me"}
          onKeyDown={(event) => onKeyDown(event, card)}
        >
          <GripIcon />
        </button>
      )}
      {isEditing ? (
        <TitleField title={card.title} onDone={rename} onCancel={() => setIsEditing(false)} />
      ) : (
        <span className="title" title={card.title}>
          {card.title}
        </span>
      )}
      {mayEdit && !isEditing && (
        <span className="actions">
          <button className="icon rename" disabled={isHeld} aria-label={`Rename ${card.title}`} onClick={() => setIsEditing(true)}>
            <PencilIcon />
          </button>
          <button
            className="icon remove"
            disabled={isHeld}
            aria-label={`Remove ${card.title}`}
            onClick={() => onChange({ event: "remove_card", id: card.id, data: {} })}
          >
            <CrossIcon />
          </button>
        </span>
      )}
      {isHeld && <span className="holder cut">{holder}</span>}
      {card.added_by && <Avatar name={card.added_by} />}
    </li>
  );
}

type TitleProps = { title: string; onDone: (title: string) => void; onCancel: () => void };

function TitleField({ title, onDone, onCancel }: TitleProps) {
  const [text, setText] = useState(title);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onDone(text.trim());
  };
  return (
    <form className="title" onSubmit={submit}>
      <input
        aria-label="Title"
        value={text}
        autoFocus
        maxLength={200}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => onDone(text.trim())}
        onKeyDown={(event) => event.key === "Escape" && onCancel()}
      />
    </form>
  );
}
