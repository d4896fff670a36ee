"""Fine-tuning: training the upper blocks of a backbone jointly with a price head."""
