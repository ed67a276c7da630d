"""Jinja templates: chat templates in the manner of published models, and ones that reach out."""

# ruff: noqa: E501

from __future__ import annotations

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}\
{% set system_message = false %}{% endif %}{% for message in loop_messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{% endif %}{% if loop.index0 == 0 and system_message != false %}\
{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}\
{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}\
{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

LLAMA31_TOOLS = """{{- bos_token }}
{%- if custom_tools is defined %}{%- set tools = custom_tools %}{%- endif %}
{%- if not tools_in_user_message is defined %}{%- set tools_in_user_message = true %}{%- endif %}
{%- if not date_string is defined %}
  {%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}
  {%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
  {%- set system_message = messages[0]['content']|trim %}{%- set messages = messages[1:] %}
{%- else %}{%- set system_message = "" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if builtin_tools is defined or tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{%- if builtin_tools is defined %}
  {{- "Tools: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\\n\\n"}}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
  {%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}
{%- endif %}
{{- system_message }}{{- "<|eot_id|>" }}
{%- for message in messages %}
  {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'
        + message['content'] | trim + '<|eot_id|>' }}
  {%- elif 'tool_calls' in message %}
    {%- if not message.tool_calls|length == 1 %}
      {{- raise_exception("This model only supports single tool-calls at once!") }}
    {%- endif %}
    {%- set tool_call = message.tool_calls[0].function %}
    {%- if builtin_tools is defined and tool_call.name in builtin_tools %}
      {{- "<|python_tag|>" + tool_call.name + ".call(" }}
      {%- for arg_name, arg_val in tool_call.arguments | items %}
        {{- arg_name + '="' + arg_val + '"' }}{%- if not loop.last %}{{- ", " }}{%- endif %}
      {%- endfor %}{{- ")" }}
    {%- else %}
      {{- '{"name": "' + tool_call.name + '", "parameters": ' }}
      {{- tool_call.arguments | tojson }}{{- "}" }}
    {%- endif %}
  {%- elif message.role == "tool" or message.role == "ipython" %}
    {%- if message.content is mapping or message.content is iterable %}
      {{- message.content | tojson }}
    {%- else %}{{- message.content }}{%- endif %}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""

MISTRAL_TOOLS = """{%- set today = strftime_now("%Y-%m-%d") %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- set user_messages = messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}{%- set ns.index = 0 %}
{%- for message in messages %}
  {%- if not (message.role == "tool" or message.tool_calls is defined) %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
      {{- raise_exception("roles must alternate") }}
    {%- endif %}{%- set ns.index = ns.index + 1 %}
  {%- endif %}
{%- endfor %}
{{- bos_token }}{%- for message in messages %}
  {%- if message["role"] == "user" and (message == user_messages[-1]) %}
    {{- "[AVAILABLE_TOOLS] [" }}
    {%- for tool in tools or [] %}{%- set tool = tool.function %}
      {%- for key, val in tool.items() if key != "return" %}
        {%- if val is string %}{{- '"' + key + '": "' + val + '"' }}
        {%- else %}{{- '"' + key + '": ' + val|tojson }}{%- endif %}
      {%- endfor %}
    {%- endfor %}{{- "[/AVAILABLE_TOOLS]" }}
  {%- elif message.tool_calls is defined and message.tool_calls is not none %}
    {%- for tool_call in message.tool_calls %}
      {%- set out = tool_call.function|tojson %}{{- out[:-1] }}
      {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
        {{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}
      {%- endif %}
      {{- ', "id": "' + tool_call.id[-9:] + '"}' }}
    {%- endfor %}
  {%- else %}{{- " " + message["content"]|trim + eos_token }}{%- endif %}
{%- endfor %}
"""

GEMMA = """{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}
{%- if messages[0]['content'] is string -%}{%- set first_user_prefix = messages[0]['content'] + '

' -%}{%- else -%}{%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}{%- endif -%}
{%- set loop_messages = messages[1:] -%}{%- else -%}{%- set first_user_prefix = "" -%}
{%- set loop_messages = messages -%}{%- endif -%}
{%- for message in loop_messages -%}
{%- if (message['role'] == 'assistant') -%}{%- set role = "model" -%}
{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
{{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
{%- if message['content'] is string -%}{{ message['content'] | trim }}
{%- elif message['content'] is iterable -%}{%- for item in message['content'] -%}
{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}
{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}
{%- else -%}{{ raise_exception("Invalid content type") }}{%- endif -%}
{{ '<end_of_turn>\n' }}{%- endfor -%}
{%- if add_generation_prompt -%}{{'<start_of_turn>model\n'}}{%- endif -%}"""

QWEN3_TOOLS = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
    {{- "\\n</tools>\\n\\n<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args>}\\n" }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string
        and not(message.content.startswith('<tool_response>')
        and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}{%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}
    {%- else %}{%- set content = '' %}{%- endif %}
    {%- if message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning_content =
                content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or reasoning_content) %}
            {{- '<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls or [] %}
            {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
            {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
            {%- if tool_call.arguments is string %}{{- tool_call.arguments }}
            {%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
        {%- endfor %}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}
    {{- '<think>\\n\\n</think>\\n\\n' }}
{%- endif %}"""

PHI4 = (
    "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and "
    "message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + message['content'] + "
    "'<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}{{ '<|' + "
    "message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)

DEEPSEEK_R1 = """{% if not add_generation_prompt is defined %}\
{% set add_generation_prompt = false %}{% endif %}\
{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='') %}\
{%- for message in messages %}{%- if message['role'] == 'system' %}\
{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}\
{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}\
{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}\
{{'<\uff5cUser\uff5c>' + message['content']}}{%- endif %}\
{%- if message['role'] == 'assistant' and message['content'] is none %}\
{%- for tool in message['tool_calls']%}{%- if not ns.is_first %}\
{{'<\uff5ctool\u2581call\u2581begin\uff5c>' + tool['type'] + '\\n' + '```json' + '\\n' \
+ tool['function']['arguments'] + '\\n' + '```'}}{%- set ns.is_first = true -%}\
{%- endif %}{%- endfor %}{%- endif %}\
{%- if message['role'] == 'assistant' and message['content'] is not none %}\
{% set content = message['content'] %}{% if '</think>' in content %}\
{% set content = content.split('</think>')[-1] %}{% endif %}{{content}}{%- endif %}\
{%- endfor -%}{% if ns.is_tool %}{{'<\uff5ctool\u2581outputs\u2581end\uff5c>'}}{% endif %}\
{% if add_generation_prompt and not ns.is_tool %}{{'<think>\\n'}}{% endif %}"""

COMMAND_R = """{{ bos_token }}{%- macro document_turn(documents) -%}
{# documents as one turn #}{% for doc in documents %}"{{ loop.index0 }}": {{doc|tojson}}
{% if not loop.last %},{% endif %}{% endfor %}{%- endmacro %}
{%- macro tool_call_id_to_int(messages, tool_call_id) %}
{%- set counter = namespace(value=0) %}{%- set seen = namespace(value=false) %}
{%- for msg in messages %}{%- for tool_call in msg.tool_calls or [] %}
{%- if tool_call.id == tool_call_id and not seen.value -%}{{ counter.value }}
{%- set seen.value = true %}{%- endif %}{%- set counter.value = counter.value + 1 %}
{%- endfor %}{%- endfor %}{%- endmacro %}
{%- set ids = namespace(value=[]) %}
{%- for message in messages %}{%- if message.role|lower == 'tool'
 and message.tool_call_id not in ids.value %}
{%- for msg in messages[loop.index0 + 1:] %}{%- if msg.role|lower == 'tool' %},
{{ tool_call_id_to_int(messages, msg.tool_call_id) }}
{%- set ids.value = ids.value + [msg.tool_call_id] %}{%- else %}{%- break %}{%- endif %}
{%- endfor %}{%- endif %}{%- endfor %}
{% if documents %}{{ document_turn(documents) }}{% endif %}"""

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{% generation %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

GRANITE = """{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}
{%- set loop_messages = messages[1:] %}{%- else %}
{%- set system_message = "Knowledge Cutoff Date: April 2024.\nToday's Date: "
 + strftime_now('%B %d, %Y') + ".\nYou are Granite." %}{%- set loop_messages = messages %}{%- endif %}
{%- if tools %}{{- tools | tojson(indent=4) }}{%- endif %}
{%- if documents %}{%- for document in documents %}
{{- 'Document ' + loop.index | string + '\n' + document['text'] }}
{%- endfor %}{%- endif %}
{%- for message in loop_messages %}
{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] }}
{%- if loop.last and add_generation_prompt %}{{- '<|start_of_role|>assistant' }}
{%- if controls %}{{- ' ' + controls | tojson()}}{%- endif %}{%- endif %}
{%- endfor %}"""

HERMES_TOOLS = """{%- macro json_to_python_type(json_spec) %}
{%- set basic_type_map = {"string": "str", "number": "float", "integer": "int",
 "boolean": "bool"} %}
{%- if basic_type_map[json_spec.type] is defined %}{{- basic_type_map[json_spec.type] }}
{%- elif json_spec.type == "array" %}{{- "list[" + json_to_python_type(json_spec|items) + "]"}}
{%- elif json_spec.type is iterable %}{{- "Union[" }}
{%- for t in json_spec.type %}{{- json_to_python_type({"type": t}) }}
{%- if not loop.last %}{{- "," }}{%- endif %}{%- endfor %}{{- "]" }}
{%- else %}{{- "Any" }}{%- endif %}
{%- endmacro %}
{{- bos_token }}
{%- for tool in tools %}{%- if tool.function is defined %}{%- set tool = tool.function %}{%- endif %}
{{- '{"name": "' + tool.name + '", "description": "' + tool.name + '(' }}
{%- for param_name, param_fields in tool.parameters.properties|items %}
{{- param_name + ": " + json_to_python_type(param_fields) }}
{%- if not loop.last %}{{- ", " }}{%- endif %}{%- endfor %}{{- ")" }}
{%- set required = tool.parameters.required|default([])|map('string')|sort|unique|list %}
{%- for p, f in tool.parameters.properties|dictsort %}{{- p.upper().replace('-', '_') }}{%- endfor %}
{%- endfor %}"""

SMOLLM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] +"
    " '<|im_end|>' + '\n'}}{% endfor %}"
)

PROMPT_FILE = """Write a summary of {{ title | default("the text") | upper }}.
{# the pieces, numbered #}
{% for piece in pieces if piece.text is defined %}
{{ "%02d" | format(loop.index) }}. {{ piece.text | truncate(200) | indent(4) }}
{% else %}Nothing.{% endfor %}
{% filter trim %} the end {% endfilter %}{% raw %}{{ left_as_it_stands }}{% endraw %}
{% call section("a") %}inside{% endcall %}{% macro section(name) %}{{ name }}{{ caller() }}{% endmacro %}
{% set block %}{{ a ~ ", " ~ b }}{% endset %}{{ block | wordwrap(60) }}
"""

HONEST = {
    "chatml": CHATML,
    "llama 2": LLAMA2,
    "llama 3.1 with tools": LLAMA31_TOOLS,
    "mistral with tools": MISTRAL_TOOLS,
    "gemma": GEMMA,
    "qwen 3 with tools": QWEN3_TOOLS,
    "phi 4": PHI4,
    "deepseek r1": DEEPSEEK_R1,
    "command r": COMMAND_R,
    "zephyr": ZEPHYR,
    "granite": GRANITE,
    "hermes with tools": HERMES_TOOLS,
    "smollm": SMOLLM,
    "a prompt": PROMPT_FILE,
    "plain text": "You are a helpful assistant. Use __init__ sparingly.",
}

REACHING = {
    "centred": "{{ ''['class'.center(9, '_')] }}",
    "stripped of letters": "{{ ''['_' ~ 'x_class__x'.strip('x')] }}",
    "trimmed of letters": "{{ ''['_' ~ ('x_class__x' | trim('x'))] }}",
    "without a prefix": "{{ ''['_' ~ 'x_class__'.removeprefix('x')] }}",
    "filled": "{{ ''['class'.ljust(7, '_').rjust(9, '_')] }}",
    "partitioned": "{{ ''['_' ~ '_class__ x'.partition(' ')[0]] }}",
    "mapped twice": "{{ [x] | map('map', 'attr', '__class__') | list }}",
    "class chain": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "items": "{{ ''['__class__']['__base__'] }}",
    "attr filter": "{{ '' | attr('__class__') }}",
    "joined by tilde": "{{ '' | attr('__cl' ~ 'ass__') }}",
    "joined by plus": "{{ ''['__cl' + 'ass__'] }}",
    "escapes": r"{{ ''['\x5f\x5fclass\x5f\x5f'] }}",
    "octal": r"{{ ''['\137\137class\137\137'] }}",
    "unicode escapes": r"{{ ''['\u005f\u005fclass\u005f\u005f'] }}",
    "join filter": "{{ ''[['__', 'class', '__'] | join] }}",
    "join of keywords": "{{ ''[dict(__class__=1) | join] }}",
    "format filter": "{{ '' | attr('%s%s' | format('__cl', 'ass__')) }}",
    "percent": "{{ ''['%sclass%s' % ('__', '__')] }}",
    "characters": "{{ ''['%c%cclass%c%c' % (95, 95, 95, 95)] }}",
    "replace": "{{ ''['__clXss__' | replace('X', 'a')] }}",
    "reversed filter": "{{ ''['__ssalc__' | reverse] }}",
    "reversed slice": "{{ ''['__ssalc__'[::-1]] }}",
    "lower": "{{ ''['__CLASS__' | lower] }}",
    "method lower": "{{ ''['__CLASS__'.lower()] }}",
    "format method": "{{ ''['{}class{}'.format('__', '__')] }}",
    "in a variable": "{% set a = '__cl' %}{% set b = 'ass__' %}{{ ''[a ~ b] }}",
    "in a namespace": "{% set n = namespace(a='__cl') %}{% set n.b = 'ass__' %}{{ ''[n.a + n.b] }}",
    "a list's items": "{% set p = ['__cl', 'ass__'] %}{{ ''[p[0] + p[1]] }}",
    "a block": "{% set x %}__class__{% endset %}{{ ''[x] }}",
    "underscores times": "{{ ''['_' * 2 ~ 'class' ~ '_' * 2] }}",
    "as an argument": "{% macro m(o, n) %}{{ o[n] }}{% endmacro %}{{ m('', '__class__') }}",
    "map": "{{ [''] | map(attribute='__class__') | list }}",
    "map attr": "{{ [''] | map('attr', '__class__') | list }}",
    "selectattr": "{{ [''] | selectattr('__class__') | list }}",
    "groupby": "{{ [''] | groupby('__class__') }}",
    "sort": "{{ [''] | sort(attribute='__class__.__name__') }}",
    "sum": "{{ [''] | sum(attribute='__class__') }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('true').read() }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('true').read() }}",
    "joiner": "{{ joiner.__init__.__globals__ }}",
    "namespace gadget": "{{ namespace.__init__.__globals__.os }}",
    "self": "{{ self.__init__.__globals__.__builtins__ }}",
    "context": "{{ self._TemplateReference__context.cycler.__init__ }}",
    "loop": "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
    "for": "{% for c in ''.__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "set": "{% set x = ''.__class__ %}",
    "if": "{% if ''.__class__ %}{% endif %}",
    "in a macro": "{% macro m() %}{{ ''.__class__ }}{% endmacro %}",
    "default argument": "{% macro m(a=''.__class__) %}{% endmacro %}",
    "in a block": "{% block b %}{{ ''.__class__ }}{% endblock %}",
    "filter block": "{% filter attr('__class__') %}x{% endfilter %}",
    "in generation": "{% generation %}{{ ''.__class__ }}{% endgeneration %}",
    "call block": "{% call(x) m(''.__class__) %}{% endcall %}",
    "whitespace": "{{- ''\n\t.\n__class__ -}}",
    "after a comment": "{# {{ #}{{ ''.__class__ }}{# }} #}",
    "after raw": "{% raw %}{{ x }}{% endraw %}{{ ''.__class__ }}",
    "frames": "{{ x.gi_frame.f_back.f_globals }}",
    "long honest start": "{{ messages }}" * 2000 + "{{ ''.__class__ }}",
    "mro method": "{{ ''.mro() }}",
}

UNLISTED = {
    "config": "{{ config.items() }}",
    "request": "{{ request.application }}",
    "url_for": "{{ url_for }}",
    "a call of a global": "{{ get_secret('x') }}",
    "a call of a method": "{{ messages.execute('x') }}",
    "a call of a call": "{{ f()() }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'x.html' as y %}",
    "from import": "{% from 'x.html' import y %}",
    "extends": "{% extends 'x.html' %}",
    "an unknown filter": "{{ 'id' | shell }}",
    "an unknown test": "{{ x is runnable }}",
    "a name put together": "{% for c in messages %}{{ x['a' ~ c] }}{% endfor %}",
    "map of a name put together": "{{ x | map(y) | list }}",
    "format of data": "{{ messages[0].content.format(messages) }}",
    "format with a field": "{{ '{0.x}'.format(messages) }}",
    "unfolded arguments": "{{ dict(**x) }}",
    "lipsum alone": "{{ lipsum(n=5) }}",
    "encode": "{{ 'x'.encode('rot13') }}",
    "stored method": "{% set f = ''.strip %}{{ f() }}",
    "private": "{{ messages._secret }}",
    "decoys": "".join(f"{{% set a = 'x{n}' %}}" for n in range(50))
    + "{% set a = '__cl' %}{{ ''[a ~ 'ass__'] }}",
    "decoys in a filter": "".join(f"{{% set a = 'x{n}' %}}" for n in range(50))
    + "{{ x | map(attribute=a ~ 'y') | list }}",
    "unfolded filter arguments": "{{ x | join(*y) }}",
    "attr with data": "{{ messages | attr('content') }}",
}

EXHAUSTING = {
    "range": "{% for i in range(999999999) %}x{% endfor %}",
    "range in a variable": "{% set n = 99999999 %}{% for i in range(n) %}x{% endfor %}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "repeated text": "{{ 'a' * 1000000 }}",
    "repeated list": "{{ ['a'] * 1000000 }}",
    "nested loops": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
    "doubling": "{% set n = namespace(x='a') %}{% for i in range(60) %}"
    "{% set n.x = n.x ~ n.x %}{% endfor %}",
    "doubling in lines": "{% set x = 'a' %}" + "{% set x = x ~ x %}" * 40,
    "width": "{{ 'x' | center(999999) }}",
    "format width": "{{ '%999999d' % n }}",
    "width of a constant": "{{ '%999999d' % 1 }}",
    "width of the filter": "{{ '%0999999d' | format(1) }}",
    "width of the method": "{{ '{:>999999}'.format(1) }}",
    "indent": "{{ x | indent(1000000) }}",
}
