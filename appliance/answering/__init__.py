"""Turns passages into an answer: prompt, citations, abstention and extraction pure; `answerer` tells the story."""
