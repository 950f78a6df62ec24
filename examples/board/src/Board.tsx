import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Card } from "./Card";
import { AddCard } from "./AddCard";
import { Bar } from "./Bar";
import { GripIcon } from "./icons";
import { arrange, type ShownCard } from "./state";
import type { ListedBoard, SignedIn } from "./types";
import { useBoard } from "./useBoard";
import { useDrag, type Place } from "./useDrag";
import { useGliding, useKeptFocus } from "./useMotion";

type Props = {
  user: SignedIn;
  boardId: number;
  boards: ListedBoard[];
  onChoose: (boardId: number) => void;
  onSignOut: (why?: string | null) => void;
};

export function Board({ user, boardId, boards, onChoose, onSignOut }: Props) {
  const [state, { change, drag, forgetProblem }] = useBoard(boardId, user.token, onSignOut);
  const area = useRef<HTMLDivElement>(null);
  const [said, setSaid] = useState("");

  const onHold = useCallback(
    ({ id }: ShownCard, place: Place | null) => drag({ id, column_id: place?.column_id ?? null, before: place?.before ?? null }),
    [drag],
  );
  const onDrop = ({ id, column_id: from_column_id }: ShownCard, { column_id, before }: Place) =>
    change({ event: "move_card", id, data: { from_column_id, column_id, before } });
  const { held, floating, onPointerDown, onKeyDown, ...pointer } = useDrag({ area, onHold, onDrop, onSay: setSaid });
  useGliding(area);
  useKeptFocus(area);

  const columns = useMemo(() => arrange(state, held && { user: user.name, id: held.card.id, ...held }), [state, held, user.name]);
  const title = state.board?.title;
  useEffect(() => {
    document.title = title ? `${title} - fastsio board` : "fastsio board";
  }, [title]);

  const mayEdit = state.board?.may_edit ?? false;
  return (
    <div className="page">
      <Bar user={user} boardId={boardId} boards={boards} people={state.people} isOnline={state.online} onChoose={onChoose} onSignOut={() => onSignOut()} />
      <Banner isOnline={state.online} isOpen={state.board !== null} waiting={state.changes.length} caughtUp={state.caughtUp} />
      <main className="columns" ref={area} {...pointer}>
        {state.board?.columns.map((column) => {
          const cards = columns.get(column.id) ?? [];
          return (
            <section className="column" key={column.id} data-column={column.id} data-title={column.title} aria-label={column.title}>
              <header>
                <h2 className="cut" title={column.title}>
                  {column.title}
                </h2>
                <span className={column.limit && cards.length >= column.limit ? "count full" : "count"}>
                  {column.limit ? `${cards.length} of ${column.limit}` : cards.length}
                </span>
              </header>
              <ul>
                {cards.map((card) => (
                  <Card
                    key={card.id}
                    card={card}
                    mayEdit={mayEdit}
                    holder={card.id === held?.card.id ? "me" : card.heldBy}
                    onChange={change}
                    onPointerDown={onPointerDown}
                    onKeyDown={onKeyDown}
                  />
                ))}
              </ul>
              {mayEdit && <AddCard columnId={column.id} title={column.title} onAdd={change} />}
            </section>
          );
        })}
      </main>
      {held?.by === "pointer" && (
        <div className="item floating" ref={floating} style={{ width: held.width }} aria-hidden="true">
          <span className="icon">
            <GripIcon />
          </span>
          <span className="title">{held.card.title}</span>
        </div>
      )}
      {state.problem && (
        <div className="problem" role="alert">
          <span>{state.problem}</span>
          <button className="quiet small" onClick={forgetProblem}>
            Close
          </button>
        </div>
      )}
      <div className="unseen" aria-live="assertive">
        {said}
      </div>
    </div>
  );
}

type BannerProps = { isOnline: boolean; isOpen: boolean; waiting: number; caughtUp: number | null };

function Banner({ isOnline, isOpen, waiting, caughtUp }: BannerProps) {
  const count = (number: number) => `${number} ${number === 1 ? "change" : "changes"}`;
  let text = "";
  if (!isOnline && isOpen) text = waiting ? `Offline: ${count(waiting)} of yours ${waiting === 1 ? "waits" : "wait"}.` : "Offline: your changes wait.";
  else if (caughtUp !== null) text = caughtUp ? `Back online, ${count(caughtUp)} caught up.` : "Back online, nothing missed.";
  return (
    <div className={isOnline ? "banner back" : "banner"} role="status" hidden={!text}>
      {text}
    </div>
  );
}
