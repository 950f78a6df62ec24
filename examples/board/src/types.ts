// What page and server say to each other. The payloads are those of models.py, in models.ts.
import type { AddCard, MoveCard, RemoveCard, RenameCard, SeenDrag } from "./models";

export type { Card, ListedBoard, OpenBoard, SignedIn } from "./models";

/** Where somebody holds a card; `column_id` is null once it was let go. */
export type Drag = Omit<SeenDrag, "board_id">;

/** What a page asks for. The server answers each with the card as it is then, or with an error. */
export type Change =
  | Asking<"add_card", AddCard>
  | Asking<"move_card", MoveCard>
  | Asking<"rename_card", RenameCard>
  | Asking<"remove_card", RemoveCard>;
type Asking<Event, Payload extends { id: string }> = { event: Event; id: string; data: Omit<Payload, "board_id" | "id"> };

export type ServerError = { type: string; event: string; msg: string; detail: unknown };
export type Answer<T> = T & { error?: ServerError };
