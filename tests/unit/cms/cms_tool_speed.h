int cms_tool_speed(unsigned long megabytes);
