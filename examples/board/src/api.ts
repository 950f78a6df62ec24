// The HTTP side of the server. Addresses are relative to the page, which may be served under any prefix.
import type { ListedBoard, SignedIn } from "./types";

/** A request that the server refused. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function request<T>(path: string, options: RequestInit): Promise<T> {
  const response = await fetch(path, options);
  const body = await response.json();
  if (response.ok) return body as T;
  throw new Refused(response.status, typeof body.detail === "string" ? body.detail : "Please fill in both fields.");
}

export function signIn(name: string, password: string): Promise<SignedIn> {
  const headers = { "Content-Type": "application/json" };
  return request("api/sign-in", { method: "POST", headers, body: JSON.stringify({ name, password }) });
}

export function listBoards(token: string): Promise<ListedBoard[]> {
  return request("api/boards", { headers: { Authorization: `Bearer ${token}` } });
}
