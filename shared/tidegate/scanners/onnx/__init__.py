"""ONNX models: graphs of operators, judged by default deny, and the data that they refer to."""
