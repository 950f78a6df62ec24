import { useCallback, useEffect, useState } from "react";
import { listBoards, Refused } from "./api";
import { Board } from "./Board";
import { SignIn } from "./SignIn";
import type { ListedBoard, SignedIn } from "./types";

const STORE = "board-user"; // in the session of a tab, so that each tab may be somebody else

export function App() {
  const [user, setUser] = useState<SignedIn | null>(() => JSON.parse(sessionStorage.getItem(STORE) ?? "null"));
  const [boards, setBoards] = useState<ListedBoard[]>([]);
  const [boardId, setBoardId] = useState<number | null>(null);
  const [why, setWhy] = useState<string | null>(null);

  const signIn = useCallback((signedIn: SignedIn) => {
    sessionStorage.setItem(STORE, JSON.stringify(signedIn));
    setWhy(null);
    setUser(signedIn);
  }, []);

  const signOut = useCallback((reason: string | null = null) => {
    sessionStorage.removeItem(STORE);
    setWhy(reason);
    setUser(null);
    setBoards([]);
  }, []);

  useEffect(() => {
    if (!user) return;
    let isCurrent = true;
    listBoards(user.token).then(
      (list) => {
        if (!isCurrent) return;
        setBoards(list);
        setBoardId(list[0]?.id ?? null);
      },
      (error) => isCurrent && signOut(error instanceof Refused ? error.message : "The server cannot be reached."),
    );
    return () => {
      isCurrent = false;
    };
  }, [user, signOut]);

  if (!user) return <SignIn why={why} onSignIn={signIn} />;
  if (boardId === null || boards.length === 0) return null;
  return (
    <Board
      key={`${user.name} ${boardId}`}
      user={user}
      boardId={boardId}
      boards={boards}
      onChoose={setBoardId}
      onSignOut={signOut}
    />
  );
}
