import type { ListedBoard, SignedIn } from "./types";

const MOST_SHOWN = 4;

type Props = {
  user: SignedIn;
  boardId: number;
  boards: ListedBoard[];
  people: readonly string[];
  isOnline: boolean;
  onChoose: (boardId: number) => void;
  onSignOut: () => void;
};

export function Bar({ user, boardId, boards, people, isOnline, onChoose, onSignOut }: Props) {
  const board = boards.find(({ id }) => id === boardId);
  const others = people.filter((name) => name !== user.name);
  const shown = [user.name, ...others].slice(0, MOST_SHOWN);
  const more = others.length + 1 - shown.length;
  return (
    <header className="bar">
      <div className="brand">
        <span className="logo" aria-hidden="true" />
      </div>
      {boards.length > 1 ? (
        <select className="cut" aria-label="Board" value={boardId} onChange={(event) => onChoose(Number(event.target.value))}>
          {boards.map(({ id, title }) => (
            <option key={id} value={id}>
              {title}
            </option>
          ))}
        </select>
      ) : (
        <h1 className="cut" title={board?.title}>
          {board?.title}
        </h1>
      )}
      {board && !board.may_edit && <span className="reading">read only</span>}
      <ul className="present end" aria-label="At this board">
        {shown.map((name) => (
          <li key={name}>
            <Avatar name={name} />
            <span className="unseen">{name === user.name ? `${name} (you)` : name}</span>
          </li>
        ))}
        {more > 0 && <li className="more">+{more}</li>}
      </ul>
      <span className={isOnline ? "status online" : "status"}>{isOnline ? "online" : "offline"}</span>
      <button className="quiet small" onClick={onSignOut}>
        Sign out
      </button>
    </header>
  );
}

export function Avatar({ name }: { name: string }) {
  return (
    <span className="avatar" style={{ "--hue": hue(name) }} title={name} aria-hidden="true">
      {[...name][0]?.toUpperCase()}
    </span>
  );
}

/** The colour of a person, the same on every page. */
export function hue(name: string): number {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)!) % 360;
  return sum;
}
