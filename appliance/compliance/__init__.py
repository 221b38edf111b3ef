"""What compliance officers do beyond reading the log: acts that need two of them, holds, erasure, subject access."""
