/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of a node: lookup with defaults, and the check against the operator's rules.
 *
 * An operator states its attributes in one line of text ("axis:i keepdims:i pads:I"); a node that
 * passed vt_node_check_attrs has only those, each of the right kind, so the readers below need no
 * error path.
 */
#include "nn/graph.h"

#include <stdio.h>
#include <string.h>

static const char kind_letters[] = {
    [VT_ATTR_INT] = 'i',    [VT_ATTR_FLOAT] = 'f',  [VT_ATTR_TEXT] = 's',  [VT_ATTR_INTS] = 'I',
    [VT_ATTR_FLOATS] = 'F', [VT_ATTR_TENSOR] = 't', [VT_ATTR_TEXTS] = 'S',
};

/* Keeps the checks, which are quadratic, short. */
static const size_t maximum_attributes = 64;

/* One word of the rules: name, kind letter, required. */
typedef struct attr_rule {
    const char *name;
    size_t name_length;
    char kind;
    bool required;
} attr_rule;

/* Moves *rules past the next rule; false at the end. */
static bool rule_next(const char **rules, attr_rule *rule)
{
    const char *at = *rules;
    while (at != NULL && *at == ' ')
        at++;
    if (at == NULL || *at == '\0')
        return false;
    size_t length = strcspn(at, ":");
    *rule = (attr_rule){.name = at, .name_length = length};
    at += length;
    if (*at == ':')
        rule->kind = *++at;
    if (*at != '\0')
        at++;
    rule->required = *at == '!';
    *rules = rule->required ? at + 1 : at;
    return true;
}

static bool rule_is_for(const attr_rule *rule, const char *name)
{
    return strlen(name) == rule->name_length && memcmp(rule->name, name, rule->name_length) == 0;
}

static vt_status attr_check(const vt_node *node, const vt_attr *attr, vt_error *error)
{
    const char *rules = node->op->attrs;
    attr_rule rule;
    while (rule_next(&rules, &rule)) {
        if (!rule_is_for(&rule, attr->name))
            continue;
        if (kind_letters[attr->kind] != rule.kind)
            return vt_fail(error, VT_ERR_FORMAT,
                           "attribute \"%s\" has the wrong type (kind '%c', not '%c')", attr->name,
                           kind_letters[attr->kind], rule.kind);
        return VT_OK;
    }
    return vt_fail(error, VT_ERR_UNSUPPORTED, "attribute \"%s\" is not known in opset %d",
                   attr->name, node->opset);
}

vt_status vt_node_check_attrs(const vt_node *node, vt_error *error)
{
    if (node->attr_count > maximum_attributes)
        return vt_fail(error, VT_ERR_LIMIT, "%zu attributes, more than any operator has",
                       node->attr_count);
    for (size_t i = 0; i < node->attr_count; i++) {
        vt_status status = attr_check(node, &node->attrs[i], error);
        if (status != VT_OK)
            return status;
        if (vt_node_attr(node, node->attrs[i].name) != &node->attrs[i])
            return vt_fail(error, VT_ERR_FORMAT, "attribute \"%s\" is given twice",
                           node->attrs[i].name);
    }
    const char *rules = node->op->attrs;
    attr_rule rule;
    while (rule_next(&rules, &rule)) {
        bool found = !rule.required;
        for (size_t i = 0; i < node->attr_count && !found; i++)
            found = rule_is_for(&rule, node->attrs[i].name);
        if (!found)
            return vt_fail(error, VT_ERR_FORMAT, "attribute \"%.*s\" is missing",
                           (int)rule.name_length, rule.name);
    }
    return VT_OK;
}

const vt_attr *vt_node_attr(const vt_node *node, const char *name)
{
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

int64_t vt_node_int(const vt_node *node, const char *name, int64_t fallback)
{
    const vt_attr *attr = vt_node_attr(node, name);
    return attr == NULL || attr->kind != VT_ATTR_INT ? fallback : attr->i;
}

float vt_node_float(const vt_node *node, const char *name, float fallback)
{
    const vt_attr *attr = vt_node_attr(node, name);
    return attr == NULL || attr->kind != VT_ATTR_FLOAT ? fallback : attr->f;
}

const char *vt_node_text(const vt_node *node, const char *name, const char *fallback)
{
    const vt_attr *attr = vt_node_attr(node, name);
    return attr == NULL || attr->kind != VT_ATTR_TEXT ? fallback : attr->text;
}

int vt_node_ints(const vt_node *node, const char *name, int64_t *out, int capacity)
{
    const vt_attr *attr = vt_node_attr(node, name);
    if (attr == NULL || attr->kind != VT_ATTR_INTS)
        return -1;
    for (size_t i = 0; i < attr->count && i < (size_t)(capacity > 0 ? capacity : 0); i++)
        out[i] = attr->ints[i];
    return attr->count > INT32_MAX ? INT32_MAX : (int)attr->count;
}
