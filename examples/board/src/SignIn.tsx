import { useState, type FormEvent } from "react";
import { Refused, signIn } from "./api";
import type { SignedIn } from "./types";

type Props = { why: string | null; onSignIn: (user: SignedIn) => void };

export function SignIn({ why, onSignIn }: Props) {
  const [problem, setProblem] = useState<string | null>(null);
  const [isAsking, setIsAsking] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setIsAsking(true);
    try {
      onSignIn(await signIn(String(form.get("name")), String(form.get("password"))));
    } catch (error) {
      setProblem(error instanceof Refused ? error.message : "The server cannot be reached. Try again.");
      setIsAsking(false);
    }
  }

  const shown = problem ?? why;
  return (
    <main className="welcome">
      <form className="card" onSubmit={submit} noValidate>
        <div className="brand">
          <span className="logo" aria-hidden="true" /> fastsio board
        </div>
        <h1>Who is at the board?</h1>
        <p className="muted">
          Ada, Ben and Cleo may move cards, Dora may look. The password of each is <b>kanban</b>. Be two of them, in two windows.
        </p>
        <label htmlFor="name">Name</label>
        <input id="name" name="name" autoComplete="username" placeholder="Ada" autoFocus />
        <label htmlFor="password">Password</label>
        <input id="password" name="password" type="password" autoComplete="current-password" placeholder="kanban" />
        {shown && (
          <p className="error" role="alert">
            {shown}
          </p>
        )}
        <button className="primary" disabled={isAsking}>
          Sign in
        </button>
      </form>
    </main>
  );
}
