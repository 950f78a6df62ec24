// The payloads between page and server, as models.py has them.

export type SignedIn = { name: string; token: string };
export type ListedBoard = { id: number; title: string; may_edit: boolean };
export type Column = { id: number; title: string; limit: number | null };
export type Card = {
  id: string;
  column_id: number;
  position: number;
  title: string;
  added_by: string;
  version: number;
  removed: boolean;
};
export type OpenBoard = ListedBoard & { version: number; columns: Column[]; cards: Card[] };

/** Where somebody holds a card; `column_id` is null once it was let go. */
export type Drag = { user: string; id: string; column_id: number | null; before: string | null };

/** What a page asks for. The server answers each with the card as it is then, or with an error. */
export type Change =
  | { event: "add_card"; id: string; data: { column_id: number; title: string } }
  | { event: "move_card"; id: string; data: { from_column_id: number; column_id: number; before: string | null } }
  | { event: "rename_card"; id: string; data: { old_title: string; title: string } }
  | { event: "remove_card"; id: string; data: object };

export type ServerError = { type: string; event: string; msg: string; detail: unknown };
export type Answer<T> = T & { error?: ServerError };
