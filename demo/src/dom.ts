// dom - two helpers, in place of a framework.

type Child = Node | string | null;
type Properties<E> = { [K in keyof E]?: E[K] } & {
  data?: Record<string, string>;
  css?: Record<string, string>;
};

/**
 * An element with properties, data attributes, CSS variables and children. Strings become text, never
 * markup.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties<HTMLElementTagNameMap[K]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  const { data = {}, css = {}, ...rest } = properties;
  Object.assign(element, rest);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(css)) element.style.setProperty(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** The element of index.html with this id. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element as E;
}
