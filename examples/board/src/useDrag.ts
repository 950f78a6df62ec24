// Holding a card: with the mouse, with a finger on its handle, or with the keyboard.
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type RefObject } from "react";
import type { ShownCard } from "./state";

const THRESHOLD_PX = 5;
const EDGE_PX = 70;
const SCROLL_PX = 10;
const REPEAT_MS = 2_000;

/** Where a card is, or would be put: before another one, or at the end of a column. */
export type Place = { column_id: number; before: string | null };

export type Held = Place & { card: ShownCard; from: Place; by: "pointer" | "keyboard"; width?: number };

/** The pointer while it holds a card, where on the card that is, and the card's size. */
type Grip = {
  pointerId: number;
  card: ShownCard;
  startX: number;
  startY: number;
  x: number;
  y: number;
  offsetX: number;
  offsetY: number;
  width: number;
  height: number;
};

export type DragOptions = {
  /** The element around the columns. Columns have `data-column` and `data-title`, cards `data-card`. */
  area: RefObject<HTMLElement | null>;
  /** Called for each new place of a card that is held, again from time to time, and with null when it was put back. */
  onHold: (card: ShownCard, place: Place | null) => void;
  onDrop: (card: ShownCard, place: Place) => void;
  /** Called with what a screen reader should say. */
  onSay: (text: string) => void;
};

export function useDrag({ area, onHold, onDrop, onSay }: DragOptions) {
  const [held, setHeld] = useState<Held | null>(null);
  const grip = useRef<Grip | null>(null);
  /** The copy of the card under the pointer. */
  const floating = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!held) return;
    onHold(held.card, held);
    const timer = setInterval(() => onHold(held.card, held), REPEAT_MS);
    return () => clearInterval(timer);
  }, [held, onHold]);

  function drop(place: Place) {
    if (!held) return;
    setHeld(null);
    if (isSame(place, held.from)) onHold(held.card, null);
    else onDrop(held.card, place);
    onSay(`Put down ${held.card.title}.`);
  }

  function putBack() {
    if (!held) return;
    setHeld(null);
    onHold(held.card, null);
    onSay(`Put ${held.card.title} back.`);
  }

  function hold(place: Place) {
    setHeld((current) => (current && !isSame(current, place) ? { ...current, ...place } : current));
  }

  // The pointer

  function onPointerDown(event: PointerEvent, card: ShownCard) {
    const target = event.target as HTMLElement;
    const isHandle = target.closest(".handle") !== null;
    if (event.button !== 0 || held || (!isHandle && (event.pointerType !== "mouse" || target.closest("button, input")))) return;
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const { pointerId, clientX: x, clientY: y } = event;
    grip.current = { pointerId, card, startX: x, startY: y, x, y, offsetX: x - left, offsetY: y - top, width, height };
  }

  function onPointerMove(event: PointerEvent) {
    const now = grip.current;
    if (!now || event.pointerId !== now.pointerId) return;
    now.x = event.clientX;
    now.y = event.clientY;
    if (held || Math.hypot(now.x - now.startX, now.y - now.startY) < THRESHOLD_PX) return;
    area.current!.setPointerCapture(event.pointerId); // the card may get another parent, the area stays
    const from = placeOf(area.current!, now.card);
    setHeld({ card: now.card, from, ...from, by: "pointer", width: now.width });
  }

  function onPointerUp() {
    const now = grip.current;
    grip.current = null;
    if (now && held?.by === "pointer") drop(placeUnder(area.current!, now));
  }

  function onPointerCancel() {
    grip.current = null;
    if (held?.by === "pointer") putBack();
  }

  const isFollowing = held?.by === "pointer";
  useEffect(() => {
    if (!isFollowing) return;
    let frame = requestAnimationFrame(function follow() {
      const now = grip.current;
      if (!now) return;
      floating.current!.style.translate = `${now.x - now.offsetX}px ${now.y - now.offsetY}px`;
      scrollNear(area.current!, now);
      hold(placeUnder(area.current!, now));
      frame = requestAnimationFrame(follow);
    });
    return () => cancelAnimationFrame(frame);
  }, [area, isFollowing]);

  useEffect(() => {
    if (!isFollowing) return;
    const putBackOnEscape = (event: globalThis.KeyboardEvent) => event.key === "Escape" && onPointerCancel();
    addEventListener("keydown", putBackOnEscape);
    return () => removeEventListener("keydown", putBackOnEscape);
  });

  // The keyboard

  function onKeyDown(event: KeyboardEvent, card: ShownCard) {
    const isToggle = event.key === " " || event.key === "Enter";
    if (!held) {
      if (!isToggle) return;
      event.preventDefault();
      const from = placeOf(area.current!, card);
      setHeld({ card, from, ...from, by: "keyboard" });
      return onSay(`Picked up ${card.title}. The arrow keys move it, Space puts it down, Escape puts it back.`);
    }
    if (held.by !== "keyboard" || held.card.id !== card.id) return;
    if (event.key === "Tab") return putBack();
    event.preventDefault();
    if (isToggle) return drop(held);
    if (event.key === "Escape") return putBack();
    const step = STEPS[event.key];
    if (step) onSay(`${card.title}: ${moveBy(step)}`);
  }

  /** Hold the card some columns to the right and some places further down; return where that is. */
  function moveBy([right, down]: [number, number]): string {
    const columns = readColumns(area.current!);
    const at = columns.findIndex(({ id }) => id === held!.column_id);
    const index = columns[at]!.cards.findIndex((card) => card.dataset.card === held!.card.id);
    const column = columns[clamp(at + right, columns.length - 1)]!;
    const others = column.cards.filter((card) => card.dataset.card !== held!.card.id);
    const place = clamp(index + down, others.length);
    hold({ column_id: column.id, before: others[place]?.dataset.card ?? null });
    return `${column.title}, place ${place + 1} of ${others.length + 1}`;
  }

  return { held, floating, onPointerDown, onPointerMove, onPointerUp, onPointerCancel, onKeyDown };
}

const STEPS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const isSame = (one: Place, other: Place) => one.column_id === other.column_id && one.before === other.before;
const clamp = (value: number, high: number) => Math.max(0, Math.min(value, high));

/** The columns and cards that the page shows, in their order. */
function readColumns(area: HTMLElement) {
  return [...area.querySelectorAll<HTMLElement>("[data-column]")].map((element) => ({
    id: Number(element.dataset.column),
    title: element.dataset.title ?? "",
    element,
    cards: [...element.querySelectorAll<HTMLElement>("[data-card]")],
  }));
}

function placeOf(area: HTMLElement, card: ShownCard): Place {
  const cards = readColumns(area).find(({ id }) => id === card.column_id)!.cards;
  const index = cards.findIndex((other) => other.dataset.card === card.id);
  return { column_id: card.column_id, before: cards[index + 1]?.dataset.card ?? null };
}

/** The place under a card that the pointer holds. Layout decides, not where cards are while they glide. */
function placeUnder(area: HTMLElement, { card, x, y, offsetY, height }: Grip): Place {
  const left = x - area.getBoundingClientRect().left + area.scrollLeft;
  const middle = y - offsetY + height / 2 - area.getBoundingClientRect().top + area.scrollTop;
  const away = (at: number, start: number, size: number) => Math.max(start - at, 0, at - start - size);
  const columns = readColumns(area).map((column) => ({
    ...column,
    beside: away(left, column.element.offsetLeft, column.element.offsetWidth),
    above: away(middle, column.element.offsetTop, column.element.offsetHeight),
  }));
  const [column] = columns.sort((one, other) => one.beside - other.beside || one.above - other.above);
  const others = column!.cards.filter((other) => other.dataset.card !== card.id);
  const next = others.find((other) => other.offsetTop + other.offsetHeight / 2 > middle);
  return { column_id: column!.id, before: next?.dataset.card ?? null };
}

/** Scroll while the pointer is near an edge. */
function scrollNear(area: HTMLElement, { x, y }: Grip): void {
  const { left, right, top, bottom } = area.getBoundingClientRect();
  const step = (at: number, low: number, high: number) => (at < low + EDGE_PX ? -SCROLL_PX : at > high - EDGE_PX ? SCROLL_PX : 0);
  area.scrollBy(step(x, left, right), step(y, top, bottom));
}
