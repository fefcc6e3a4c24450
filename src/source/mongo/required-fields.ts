/** The fields that a collection's validator requires. https://www.mongodb.com/docs/manual/core/schema-validation/ */

import type { Document } from 'bson';

/**
 * @param info the collection's entry of `listCollections`
 * @returns names of top-level fields
 */
export function readRequiredFields(info: Document): string[] {
  const options = info.options as Document | undefined;
  const validator = options?.validator as Document | undefined;
  const schema = validator?.$jsonSchema as Document | undefined;
  const required: unknown = schema?.required;
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [];
}
