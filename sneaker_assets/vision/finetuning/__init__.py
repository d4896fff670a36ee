"""Fine-tuning: training the last blocks of a backbone together with a head."""
