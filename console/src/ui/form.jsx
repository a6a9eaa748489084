/* Fields of forms: each has a label, a help line and an error of its own. */
import { useState } from 'preact/hooks';

let numbers = 0;

/* <Field label help error>{(props) => <input {...props} />}</Field> */
export function Field({ label, help, error, required, children, hideLabel }) {
  const [id] = useState(() => `field-${++numbers}`);
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  return (
    <div class={`field ${error ? 'wrong' : ''}`}>
      <label class={hideLabel ? 'hidden' : 'label'} for={id}>
        {label}
        {required && <span class="required" aria-hidden="true"> *</span>}
      </label>
      {children({ id, 'aria-describedby': described, 'aria-invalid': error ? true : undefined, required })}
      {help && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {error && (
        <p class="error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

export function TextField({ label, help, error, required, hideLabel, value, onValue, ...rest }) {
  return (
    <Field {...{ label, help, error, required, hideLabel }}>
      {(p) => <input type="text" {...p} {...rest} value={value ?? ''} onInput={(e) => onValue(e.target.value)} />}
    </Field>
  );
}

export function TextArea({ label, help, error, required, hideLabel, value, onValue, ...rest }) {
  return (
    <Field {...{ label, help, error, required, hideLabel }}>
      {(p) => <textarea {...p} {...rest} value={value ?? ''} onInput={(e) => onValue(e.target.value)} />}
    </Field>
  );
}

/* options: texts, or [value, text] */
export function SelectField({ label, help, error, required, hideLabel, value, onValue, options, ...rest }) {
  return (
    <Field {...{ label, help, error, required, hideLabel }}>
      {(p) => (
        <select {...p} {...rest} value={value ?? ''} onChange={(e) => onValue(e.target.value)}>
          {options.map((o) => {
            const [v, text] = Array.isArray(o) ? o : [o, o];
            return (
              <option key={v} value={v} selected={v === (value ?? '')}>
                {text}
              </option>
            );
          })}
        </select>
      )}
    </Field>
  );
}

export function CheckField({ label, help, value, onValue, ...rest }) {
  return (
    <div class="field check">
      <label>
        <input type="checkbox" checked={!!value} onChange={(e) => onValue(e.target.checked)} {...rest} />
        <span>{label}</span>
      </label>
      {help && <p class="help">{help}</p>}
    </div>
  );
}
