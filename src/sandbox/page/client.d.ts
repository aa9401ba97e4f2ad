/** The script's text: the page loads it, this program does not run it. */
declare const text: string;
export default text;
