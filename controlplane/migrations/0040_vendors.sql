-- Endpoints of Azure OpenAI, and of Bedrock at an address of the operator's own.

alter table provider_node drop constraint provider_node_type_known;
alter table provider_node add constraint provider_node_type_known
    check (type in ('openai-compatible', 'anthropic-compatible', 'gemini-compatible', 'ollama-compatible',
                    'azure-compatible', 'bedrock-compatible'));

alter table provider_node drop constraint provider_node_api_type_known;
alter table provider_node add constraint provider_node_api_type_known
    check (api_type in ('chat', 'responses') or type = 'azure-compatible' and api_type = 'deployments');

alter table provider_node add column api_version text;      -- azure-compatible; null = as the API type has it
