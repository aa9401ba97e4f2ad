/** The text of page.css. */
declare const text: string;
export default text;
