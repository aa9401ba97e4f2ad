/** The text of page.html. */
declare const text: string;
export default text;
