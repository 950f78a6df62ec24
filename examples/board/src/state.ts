// What the page knows, and what it shows of it. Knows no sockets and no elements.
import type { Card, Change, Drag, OpenBoard } from "./types";

export type State = {
  board: OpenBoard | null;
  /** The newest state of each card that the server has told of. */
  cards: ReadonlyMap<string, Card>;
  /** What was done on this page and not answered yet, in order: it is shown at once, and sent when there is a connection. */
  changes: readonly Change[];
  /** The cards that others hold at the moment. */
  drags: ReadonlyMap<string, Drag>;
  people: readonly string[];
  online: boolean;
  /** How many cards were changed by others since the connection was lost. */
  missed: number;
  /** That number, for a moment after the connection is back. */
  caughtUp: number | null;
  /** Why the last change was refused. */
  problem: string | null;
};

export const EMPTY: State = {
  board: null,
  cards: new Map(),
  changes: [],
  drags: new Map(),
  people: [],
  online: false,
  missed: 0,
  caughtUp: null,
  problem: null,
};

export type Action =
  | { type: "opened"; board: OpenBoard }
  | { type: "recovered" }
  | { type: "lost" }
  | { type: "noticed" }
  | { type: "card"; card: Card }
  | { type: "drag"; drag: Drag }
  | { type: "drags expired" }
  | { type: "people"; names: string[] }
  | { type: "change"; change: Change }
  | { type: "answered"; change: Change; card: Card | null; problem: string | null }
  | { type: "problem seen" };

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "opened":
      return isBack(withBoard(state, action.board), state.board !== null);
    case "recovered":
      return isBack(state, true);
    case "lost":
      return { ...state, online: false, missed: 0, caughtUp: null, drags: new Map() };
    case "noticed":
      return { ...state, caughtUp: null };
    case "card":
      return withCard(state, action.card);
    case "drag": {
      const drags = new Map(state.drags);
      if (action.drag.column_id === null) drags.delete(action.drag.id);
      else drags.set(action.drag.id, action.drag);
      return { ...state, drags };
    }
    case "drags expired":
      return { ...state, drags: new Map() };
    case "people":
      return { ...state, people: action.names };
    case "change":
      return { ...state, changes: [...state.changes, action.change], problem: null };
    case "answered": {
      // Without its change the page shows what the server says: for a refused one, that is the way back.
      const changes = state.changes.filter((change) => change !== action.change);
      const answered = { ...state, changes, problem: action.problem ?? state.problem };
      return action.card ? withCard(answered, action.card) : answered;
    }
    case "problem seen":
      return { ...state, problem: null };
  }
}

/** Events may arrive in another order than the changes were made: the higher version is the newer state. */
function withCard(state: State, card: Card): State {
  const known = state.cards.get(card.id);
  if (known && known.version >= card.version) return state;
  const drags = new Map(state.drags);
  drags.delete(card.id);
  return { ...state, cards: new Map(state.cards).set(card.id, card), drags, missed: state.missed + 1 };
}

/** The whole board, and what was told of it since it was read. */
function withBoard(state: State, board: OpenBoard): State {
  const cards = new Map(board.cards.map((card) => [card.id, card]));
  const isNews = (card: Card) => (state.cards.get(card.id)?.version ?? -1) < card.version;
  const gone = [...state.cards.values()].filter((card) => !card.removed && !cards.has(card.id) && card.version <= board.version);
  const missed = state.missed + board.cards.filter(isNews).length + gone.length;
  for (const card of state.cards.values()) if (card.version > board.version) cards.set(card.id, card);
  return { ...state, board, cards, missed };
}

function isBack(state: State, wasThere: boolean): State {
  return { ...state, online: true, caughtUp: wasThere ? state.missed : null };
}

export type ShownCard = Card & {
  /** Not answered by the server yet. */
  isWaiting: boolean;
  /** Who holds it, if anybody does. */
  heldBy: string | null;
};

/** A column's cards, in their order, with the changes that are under way and the cards that are held. */
export function arrange(state: State, held: Drag | null): Map<number, ShownCard[]> {
  const columns = new Map<number, ShownCard[]>(state.board?.columns.map(({ id }) => [id, []]));
  for (const card of [...state.cards.values()].sort((one, other) => one.position - other.position))
    if (!card.removed) columns.get(card.column_id)?.push({ ...card, isWaiting: false, heldBy: null });
  for (const change of state.changes) show(columns, change);
  for (const { user, id, column_id, before } of [...state.drags.values(), ...(held ? [held] : [])]) {
    const [card] = take(columns, id);
    if (card && column_id !== null) put(columns, { ...card, column_id, heldBy: user }, before);
  }
  return columns;
}

/** Show a change as if it were done. */
function show(columns: Map<number, ShownCard[]>, { event, id, data }: Change): void {
  const [card, next] = take(columns, id);
  if (event === "add_card") {
    const { column_id, title } = data;
    const added = { id, column_id, title, position: 0, added_by: "", version: 0, removed: false, heldBy: null };
    put(columns, { ...added, isWaiting: true }, null);
  } else if (card && event === "move_card") {
    put(columns, { ...card, column_id: data.column_id, isWaiting: true }, data.before);
  } else if (card && event === "rename_card") {
    put(columns, { ...card, title: data.title, isWaiting: true }, next);
  }
}

/** Take a card out of its column; return it, and the id of the one that stood after it. */
function take(columns: Map<number, ShownCard[]>, id: string): [ShownCard | null, string | null] {
  for (const cards of columns.values()) {
    const index = cards.findIndex((card) => card.id === id);
    if (index >= 0) return [cards.splice(index, 1)[0]!, cards[index]?.id ?? null];
  }
  return [null, null];
}

/** Put a card before another one, or at the end of its column. */
function put(columns: Map<number, ShownCard[]>, card: ShownCard, before: string | null): void {
  const cards = columns.get(card.column_id);
  const index = cards?.findIndex(({ id }) => id === before) ?? -1;
  cards?.splice(index < 0 ? cards.length : index, 0, card);
}
