import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` serves the page while it is written; the server behind it is the one of `uvicorn board.app:app`.
const server = "http://127.0.0.1:8000";

export default defineConfig({
  base: "./", // the page works under any prefix
  plugins: [react()],
  server: {
    fs: { allow: [".."] }, // examples/design
    proxy: { "/api": server, "/socket.io": { target: server, ws: true } },
  },
});
