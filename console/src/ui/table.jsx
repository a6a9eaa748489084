/* Tables. A row is rendered again only when its object is another one (see usePoll). */
import { memo } from './memo.js';

/* columns: {id, title, cell(row), class, sort: bool, narrow, right, hide: 'small', plain}. On a narrow screen
 * a row is a card, where narrow ones have their title before them, but for plain ones.
 * rows: objects; rowKey(row). caption: the table's name for screen readers.
 * select: {has(key), toggle(key), all(bool), label(row)} adds check boxes.
 * sort: {by, down, set(id)}. rowClass(row). deps: other values cells depend on. */
export function Table({ columns, rows, rowKey = (r) => r.id, caption, select, sort, rowClass, deps }) {
  const all = select && rows.length > 0 && rows.every((r) => select.has(rowKey(r)));
  const some = select && !all && rows.some((r) => select.has(rowKey(r)));
  return (
    <div class="table-box" role="region" aria-label={caption} tabIndex={0}>
      <table class="table" role="table">
        <caption class="hidden">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {select && (
              <th scope="col" class="narrow" role="columnheader">
                <input
                  type="checkbox"
                  aria-label="Select all"
                  checked={all}
                  ref={(e) => e && (e.indeterminate = some)}
                  onChange={(e) => select.all(e.target.checked)}
                />
              </th>
            )}
            {columns.map((c) => (
              <th
                key={c.id}
                scope="col"
                role="columnheader"
                class={classes(c)}
                aria-sort={sort?.by === c.id ? (sort.down ? 'descending' : 'ascending') : undefined}
              >
                {c.sort && sort ? (
                  <button type="button" class="sort" onClick={() => sort.set(c.id)}>
                    {c.title}
                    <span class="sort-mark" aria-hidden="true">
                      {sort.by === c.id ? (sort.down ? '▾' : '▴') : ''}
                    </span>
                  </button>
                ) : (
                  c.title || <span class="hidden">{c.name ?? 'Actions'}</span>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((r) => (
            <Row
              key={rowKey(r)}
              row={r}
              columns={columns}
              chosen={select ? select.has(rowKey(r)) : undefined}
              select={select}
              id={rowKey(r)}
              more={rowClass?.(r)}
              deps={deps}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const classes = (c) =>
  [c.class, c.right && 'right', c.narrow && 'narrow', c.hide && `hide-${c.hide}`].filter(Boolean).join(' ') || undefined;

const Row = memo(
  function Row({ row, columns, chosen, select, id, more }) {
    return (
      <tr role="row" class={[more, chosen && 'chosen'].filter(Boolean).join(' ') || undefined}>
        {select && (
          <td role="cell" class="narrow">
            <input
              type="checkbox"
              aria-label={`Select ${select.label?.(row) ?? id}`}
              checked={chosen}
              onChange={() => select.toggle(id)}
            />
          </td>
        )}
        {columns.map((c) => (
          <td key={c.id} role="cell" class={classes(c)} data-label={c.narrow && c.title && !c.plain ? c.title : undefined}>
            {c.cell(row)}
          </td>
        ))}
      </tr>
    );
  },
  (a, b) => a.row === b.row && a.chosen === b.chosen && a.more === b.more && a.deps === b.deps && a.columns.length === b.columns.length,
);
