export const parameters = () => ({
  type: "object",
  properties: { city: { type: "string", description: "Its name" } },
  required: ["city"],
  additionalProperties: false,
});
