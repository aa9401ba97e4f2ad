/** The result as a picture: a bar for each row with a goal, its spread, and the limit as a line. */
import { judged, type Row } from "./measure.ts";

const WIDTH = 860;
const LEFT = 380;
const RIGHT = 70;
const TOP = 60;
const STEP = 30;
const BAR = 14;

/** SVG of the rows that have a goal. `caption` names machine and versions. */
export function plot(rows: readonly Row[], caption: string): string {
  const shown = rows.filter(({ goal }) => goal !== undefined);
  const most = Math.max(1, ...shown.flatMap((row) => [row.high, judged(row), row.goal ?? 0]));
  const x = (ratio: number): number => LEFT + (ratio / most) * (WIDTH - LEFT - RIGHT);
  const height = TOP + shown.length * STEP + 30;
  const body = shown.map((row, at) => bar(row, TOP + at * STEP, x));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    "<title>Time of commands, as ratios to what they are compared with</title>",
    "<style>text{font:12px sans-serif;fill:#1f2328}.small{font-size:10px;fill:#57606a}</style>",
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="10" y="20">Ratio to what each is compared with; the red line is the limit</text>`,
    `<text class="small" x="10" y="38">${escaped(caption)}</text>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

function bar(row: Row, y: number, x: (ratio: number) => number): string {
  const { id = "", what, against, low, high, goal = 0 } = row;
  const ratio = judged(row);
  const measured = row.of === "cpuMs" ? "processor time of" : "of";
  const [middle, end] = [y + BAR / 2, fixed(x(ratio))];
  const color = ratio <= goal ? "#2da44e" : "#bf8700";
  return [
    `<text x="10" y="${y + 9}">${escaped(`${id} ${what}`)}</text>`,
    `<text class="small" x="10" y="${y + 20}">${escaped(`${measured} ${against}`)}</text>`,
    `<rect x="${LEFT}" y="${y}" width="${fixed(x(ratio) - LEFT)}" height="${BAR}" fill="${color}"/>`,
    `<path d="M${fixed(x(low))} ${middle}H${fixed(x(high))}" stroke="#1f2328" stroke-width="2"/>`,
    `<path d="M${fixed(x(goal))} ${y - 4}V${y + BAR + 4}" stroke="#cf222e" stroke-width="2"/>`,
    `<text x="${fixed(Math.max(Number(end), x(goal), x(high)) + 6)}" y="${y + 11}">${ratio.toFixed(2)}</text>`,
  ].join("\n");
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
