type Detail = { field: string; message: string };

/**
 * What the API says about fields, by the fields of a form. `within` is what the API calls the part that the form is
 * about. A remark about one entry of a list belongs to the list; what belongs to no field is left over.
 */
export function fieldErrors(details: Detail[], fields: string[], within = ''): { errors: Record<string, string>; rest: Detail[] } {
  const errors: Record<string, string> = {};
  const rest: Detail[] = [];
  for (const detail of details) {
    const path = detail.field.replaceAll('[', '.').replaceAll(']', '');
    const own = within && path.startsWith(`${within}.`) ? path.slice(within.length + 1) : path;
    const field = fields.find((name) => own === name || own.startsWith(`${name}.`));
    if (!field) rest.push(detail);
    else errors[field] ??= own === field ? detail.message : `${own.slice(field.length + 1)}: ${detail.message}`;
  }
  return { errors, rest };
}

/** The fields of a form, the inner ones as `outer.inner`. */
export function fieldPaths(values: object): string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value !== null && typeof value === 'object' && !Array.isArray(value) ? fieldPaths(value).map((inner) => `${name}.${inner}`) : [name],
  );
}
