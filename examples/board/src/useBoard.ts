// The board of one user: everything that the page and the server say to each other over the socket.
import { useEffect, useReducer, useState } from "react";
import { io } from "socket.io-client";
import { EMPTY, reduce, type State } from "./state";
import type { Answer, Card, Change, Drag, OpenBoard } from "./types";

const ANSWER_MS = 10_000;
const NOTICE_MS = 4_000;
/** A drag of which nothing more is heard is over. Whoever holds a card says so more often: see useDrag. */
const DRAG_MS = 6_000;

export type BoardActions = {
  /** Show a change at once, and send it when there is a connection. */
  change: (change: Change) => void;
  /** Tell the others where a card is held. */
  drag: (drag: Omit<Drag, "user">) => void;
  forgetProblem: () => void;
};

/**
 * Keep a board up to date.
 *
 * `onSignedOut` is called when the server does not take the token any more. A component that shows another board, or the
 * board of another user, has another `key`.
 */
export function useBoard(boardId: number, token: string, onSignedOut: (why: string) => void): [State, BoardActions] {
  const [state, dispatch] = useReducer(reduce, EMPTY);
  const [socket] = useState(() => {
    const path = new URL("socket.io", location.href.split(/[?#]/)[0]).pathname;
    return io({ path, auth: { token }, autoConnect: false, reconnectionDelay: 500, reconnectionDelayMax: 3000 });
  });

  useEffect(() => {
    const ask = <T>(event: string) => socket.timeout(ANSWER_MS).emitWithAck(event, { board_id: boardId }) as Promise<Answer<T>>;

    /** Ask who is there, one question at a time; where that changes before the answer has come, ask again. */
    let isAsking = false;
    let hasChanged = false;
    async function presenceChanged() {
      hasChanged = true;
      if (isAsking) return;
      isAsking = true;
      while (hasChanged) {
        hasChanged = false;
        const names = await ask<string[]>("who").catch(() => null); // null: no answer
        if (names === null) hasChanged = socket.connected;
        else if (!names.error) dispatch({ type: "people", names });
      }
      isAsking = false;
    }

    async function connected() {
      if (socket.recovered) {
        dispatch({ type: "recovered" }); // still on the board, and what was changed meanwhile has just been told
      } else {
        let board: Answer<OpenBoard> | null = null;
        while (board === null) {
          if (!socket.connected) return; // it broke again
          board = await ask<OpenBoard>("join_board").catch(() => null);
        }
        if (board.error) return onSignedOut(board.error.msg);
        dispatch({ type: "opened", board });
      }
      presenceChanged();
    }

    socket.on("connect", connected);
    socket.on("disconnect", () => dispatch({ type: "lost" }));
    socket.on("connect_error", (error) => {
      if (!socket.active) onSignedOut(error.message); // refused by the server's connect handler
    });
    socket.on("kicked", ({ reason }) => onSignedOut(reason ?? "You may not see this board any more."));
    socket.on("presence", presenceChanged);
    socket.on("card", (card: Card) => dispatch({ type: "card", card }));
    socket.on("drag", (drag: Drag) => dispatch({ type: "drag", drag }));
    socket.connect();

    // Without a goodbye the server would take a closed page for one that may come back.
    const leave = () => socket.disconnect();
    const comeBack = (event: PageTransitionEvent) => event.persisted && socket.connect();
    addEventListener("pagehide", leave);
    addEventListener("pageshow", comeBack);
    return () => {
      removeEventListener("pagehide", leave);
      removeEventListener("pageshow", comeBack);
      socket.off();
      socket.disconnect();
    };
  }, [socket, boardId, onSignedOut]);

  // Send the oldest change. Where the connection breaks before the answer, it is sent again: asking twice does no harm.
  const next = state.changes[0];
  useEffect(() => {
    if (!next || !state.online) return;
    let isCurrent = true;
    async function send({ event, id, data }: Change) {
      while (isCurrent && socket.connected) {
        const answer: Answer<Card> | null = await socket
          .timeout(ANSWER_MS)
          .emitWithAck(event, { board_id: boardId, id, ...data })
          .catch(() => null);
        if (answer === null || !isCurrent) continue;
        const card = answer.error ? (answer.error.detail as Card | null) : answer;
        const isCard = card !== null && "version" in card;
        if (answer.error) socket.volatile.emit("drag", { board_id: boardId, id, column_id: null }); // others see it go back
        return dispatch({ type: "answered", change: next!, card: isCard ? card : null, problem: explain(answer) });
      }
    }
    send(next);
    return () => {
      isCurrent = false;
    };
  }, [socket, boardId, next, state.online]);

  useEffect(() => {
    if (state.caughtUp === null) return;
    const timer = setTimeout(() => dispatch({ type: "noticed" }), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [state.caughtUp]);

  useEffect(() => {
    if (state.drags.size === 0) return;
    const timer = setTimeout(() => dispatch({ type: "drags expired" }), DRAG_MS);
    return () => clearTimeout(timer);
  }, [state.drags]);

  const [actions] = useState<BoardActions>({
    change: (change) => dispatch({ type: "change", change }),
    drag: (drag) => socket.connected && socket.volatile.emit("drag", { board_id: boardId, ...drag }),
    forgetProblem: () => dispatch({ type: "problem seen" }),
  });
  return [state, actions];
}

/** One sentence for a change that the server refused. */
function explain({ error }: Answer<object>): string | null {
  if (!error) return null;
  if (error.type === "validation_error") return "A card needs a title of 1 to 200 characters.";
  return error.msg;
}
