// A program that a test runs: it reports one JSON object a line, and waits for the test where it says so.
//
// {"step", "data"} whenever the scenario says something, and at the end {"result"} or {"failure"}. The test lets a
// scenario that waits go on by writing a line.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function print(report) {
  process.stdout.write(JSON.stringify(report, showBinary) + "\n");
}

// Binary cannot stand in JSON: it is shown as {"bytes": hex}.
function showBinary(_key, value) {
  if (value?.type === "Buffer") return { bytes: Buffer.from(value.data).toString("hex") };
  if (value instanceof ArrayBuffer) return { bytes: Buffer.from(value).toString("hex") };
  if (ArrayBuffer.isView(value)) return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex") };
  return value === undefined ? null : value;
}

/** Tell the test that a step is reached. */
export function say(step, data = null) {
  print({ step, data });
}

/** Wait for the test to say that the next step may begin. */
export async function told() {
  const { value } = await lines.next();
  return JSON.parse(value);
}

/** Run a scenario to its end, clean up, and report how it went. */
export async function run(scenario, cleanUp) {
  const finish = async (report) => {
    await cleanUp();
    print(report);
    process.stdout.write("", () => process.exit("failure" in report ? 1 : 0));
  };
  const fail = (error) => finish({ failure: error?.stack ?? String(error) });
  process.on("unhandledRejection", fail);
  try {
    await finish({ result: (await scenario()) ?? null });
  } catch (error) {
    await fail(error);
  }
}
