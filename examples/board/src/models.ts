// Made from models.py by make_types.py: change the models, and run it.

export type AddCard = {
  board_id: number;
  id: string;
  column_id: number;
  title: string;
};

export type Card = {
  id: string;
  column_id: number;
  position: number;
  title: string;
  added_by: string;
  version: number;
  removed: boolean;
};

export type Column = {
  id: number;
  title: string;
  limit: number | null;
};

export type ListedBoard = {
  id: number;
  title: string;
  may_edit: boolean;
};

export type MoveCard = {
  board_id: number;
  id: string;
  from_column_id: number;
  column_id: number;
  before: string | null;
};

export type OpenBoard = {
  id: number;
  title: string;
  may_edit: boolean;
  version: number;
  columns: Column[];
  cards: Card[];
};

export type RemoveCard = {
  board_id: number;
  id: string;
};

export type RenameCard = {
  board_id: number;
  id: string;
  old_title: string;
  title: string;
};

export type SeenDrag = {
  board_id: number;
  id: string;
  column_id: number | null;
  before: string | null;
  user: string;
};

export type SignIn = {
  name: string;
  password: string;
};

export type SignedIn = {
  name: string;
  token: string;
};

export type WhichBoard = {
  board_id: number;
};
