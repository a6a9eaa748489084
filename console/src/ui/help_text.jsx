/* Help of the settings' tables: `code` and *emphasis*, as in the manual. */
export function HelpText({ text }) {
  return (
    <>
      {text.split(/(`[^`]+`|\*[^*]+\*)/).map((part, i) => {
        if (part.startsWith('`')) return <code key={i}>{part.slice(1, -1)}</code>;
        if (part.length > 2 && part.startsWith('*')) return <em key={i}>{part.slice(1, -1)}</em>;
        return part;
      })}
    </>
  );
}

export const plainHelp = (text) => text.replace(/[`*]/g, '');
