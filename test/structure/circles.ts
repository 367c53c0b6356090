/** Circles of a graph: its strongly connected components of more than one node (Tarjan 1972). */

/** Each circle's nodes, sorted; none where the graph can be walked without coming back. */
export function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    low.set(node, order.get(node)!);
    open.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (open.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== order.get(node)) return;
    const circle = open.splice(open.indexOf(node)).sort();
    if (circle.length > 1 || edges.get(node)?.includes(node)) circles.push(circle);
  };
  for (const node of edges.keys()) if (!order.has(node)) visit(node);
  return circles;
}
