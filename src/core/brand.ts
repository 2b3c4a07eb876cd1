/** Numbers and texts that mean something get a type of their own, so that two of them cannot be swapped. */
declare const brand: unique symbol;
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
